insert into contact_phones (org_id, contact_id, phone, type) values ($1, $2, $3, 'mobile')
