select c.id, c.display_name,
       array(select e.email from contact_emails e where e.org_id = c.org_id and e.contact_id = c.id) as emails,
       array(select p.phone from contact_phones p where p.org_id = c.org_id and p.contact_id = c.id) as phones,
       array(select concat_ws(', ', a.street, a.city, a.region, a.postal_code)
               from addresses a where a.org_id = c.org_id and a.contact_id = c.id) as addresses
  from contacts c
 where c.org_id = $1 and c.search @@ plainto_tsquery('simple', $2)
 order by ts_rank(c.search, plainto_tsquery('simple', $2)) desc, c.display_name, c.id
 limit 20
