insert into contact_emails (org_id, contact_id, email) values ($1, $2, $3)
