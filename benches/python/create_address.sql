insert into addresses (org_id, contact_id, street, city, region, postal_code) values ($1, $2, $3, $4, $5, $6) returning id
