select c.id, c.kind, c.display_name, c.given_name, c.family_name, c.preferred_time, c.tags, c.created_at, c.updated_at,
       (select coalesce(json_agg(json_build_object('email', e.email, 'type', e.type, 'is_primary', e.is_primary)
                                 order by e.is_primary desc), '[]')
          from contact_emails e where e.org_id = c.org_id and e.contact_id = c.id) as emails,
       (select coalesce(json_agg(json_build_object('phone', p.phone, 'type', p.type, 'is_primary', p.is_primary)
                                 order by p.is_primary desc), '[]')
          from contact_phones p where p.org_id = c.org_id and p.contact_id = c.id) as phones,
       (select coalesce(json_agg(json_build_object('id', a.id, 'street', a.street, 'city', a.city, 'region', a.region,
                                                   'postal_code', a.postal_code, 'country', a.country,
                                                   'is_primary', a.is_primary)
                                 order by a.is_primary desc), '[]')
          from addresses a where a.org_id = c.org_id and a.contact_id = c.id) as addresses
  from contacts c
 where c.org_id = $1 and c.id = $2
