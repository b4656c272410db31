insert into contacts (org_id, kind, given_name, family_name, display_name, search)
values ($1, 'person', $2, $3, concat_ws(' ', $2::text, $3::text), to_tsvector('simple', $4))
returning id, kind, display_name, preferred_time, tags, created_at, updated_at
