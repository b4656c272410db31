-- Organizations, agents, and the people and places they serve.

create table orgs (
  org_id uuid not null,
  id uuid not null,
  name text not null,
  timezone text not null,
  currency text not null,
  country text not null,
  business_hours jsonb not null default
    '{"mon": ["08:00", "17:00"], "tue": ["08:00", "17:00"], "wed": ["08:00", "17:00"], "thu": ["08:00", "17:00"],
      "fri": ["08:00", "17:00"]}',
  default_tax_rate numeric(7, 4) not null default 0,
  invoice_prefix text not null default '',
  payment_terms_days integer not null default 14,
  reply_to_email text,
  reminder_lead_days integer not null default 1,
  follow_up_days integer[] not null default '{2,4}',
  default_ticket_minutes integer not null default 60,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint org_is_its_own_tenant check (id = org_id),
  constraint org_currency check (currency ~ '^[A-Z]{3}$'),
  constraint org_country check (country ~ '^[A-Z]{2}$')
);
comment on constraint org_is_its_own_tenant on orgs is 'An organization''s id is its tenant''s id.';
comment on constraint org_currency on orgs is 'A currency is an ISO 4217 code such as USD.';
comment on constraint org_country on orgs is 'A country is an ISO 3166-1 code of two letters such as US.';
select frontdesk.enable_tenant('orgs');

create table agents (
  org_id uuid not null,
  id uuid not null,
  name text not null,
  token_hash bytea not null,
  token_prefix text not null,
  expires_at timestamptz,
  disabled_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint agent_name_taken unique (org_id, name),
  constraint agent_token_prefix_taken unique (org_id, token_prefix)
);
comment on constraint agent_name_taken on agents is 'Another agent has this name: choose another one.';
comment on constraint agent_token_prefix_taken on agents is 'Two tokens start alike: make another one.';
select frontdesk.enable_tenant('agents', secret => '{token_hash}');

-- Contacts

create table contacts (
  org_id uuid not null,
  id uuid not null,
  kind text not null,
  given_name text,
  family_name text,
  organization_name text,
  display_name text generated always as (
    case kind when 'organization' then organization_name
    else btrim(coalesce(given_name, '') || ' ' || coalesce(family_name, '')) end) stored,
  sort_name text generated always as (
    lower(case kind when 'organization' then organization_name
    else btrim(coalesce(given_name, '') || ' ' || coalesce(family_name, '')) end)) stored,
  preferred_time text not null default 'any',
  tags text[] not null default '{}',
  unsubscribed_at timestamptz,
  archived_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint contact_kind check (kind in ('person', 'organization')),
  constraint contact_preferred_time check (preferred_time in ('morning', 'afternoon', 'any')),
  constraint contact_has_a_name check (
    case kind when 'organization' then coalesce(btrim(organization_name), '') <> ''
    else btrim(coalesce(given_name, '') || coalesce(family_name, '')) <> '' end)
);
create index contacts_by_name on contacts (org_id, sort_name, id);
comment on constraint contact_kind on contacts is 'A contact is a person or an organization.';
comment on constraint contact_preferred_time on contacts is 'A preferred time is morning, afternoon or any.';
comment on constraint contact_has_a_name on contacts is
  'A person needs a given_name or a family_name, an organization an organization_name.';
select frontdesk.enable_tenant('contacts', subject => 'id', derived => '{display_name,sort_name}');

create table contact_emails (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  position integer not null,
  email text not null,
  email_key text generated always as (lower(email)) stored,
  type text not null default 'other',
  is_primary boolean not null default false,
  status text not null default 'ok',
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint email_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade,
  constraint email_twice unique (org_id, contact_id, email_key),
  constraint email_type check (type in ('home', 'work', 'other')),
  constraint email_status check (status in ('ok', 'bounced'))
);
create unique index one_primary_email on contact_emails (org_id, contact_id) where is_primary;
create index contact_emails_by_key on contact_emails (org_id, email_key);
comment on constraint email_of_contact on contact_emails is 'Name a contact of this organization.';
comment on constraint email_twice on contact_emails is 'This e-mail address is given twice: leave one out.';
comment on constraint email_type on contact_emails is 'An e-mail''s type is home, work or other.';
comment on constraint email_status on contact_emails is 'An e-mail''s status is ok or bounced.';
select frontdesk.enable_tenant('contact_emails', subject => 'contact_id', derived => '{email_key}');

create table contact_phones (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  position integer not null,
  phone text not null,
  e164 text,
  phone_key text generated always as (coalesce(e164, regexp_replace(phone, '[^0-9+]', '', 'g'))) stored,
  type text not null default 'other',
  is_primary boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint phone_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade,
  constraint phone_twice unique (org_id, contact_id, phone_key),
  constraint phone_type check (type in ('mobile', 'home', 'work', 'other'))
);
create unique index one_primary_phone on contact_phones (org_id, contact_id) where is_primary;
create index contact_phones_by_key on contact_phones (org_id, phone_key);
comment on constraint phone_of_contact on contact_phones is 'Name a contact of this organization.';
comment on constraint phone_twice on contact_phones is 'This phone number is given twice: leave one out.';
comment on constraint phone_type on contact_phones is 'A phone''s type is mobile, home, work or other.';
select frontdesk.enable_tenant('contact_phones', subject => 'contact_id', derived => '{phone_key}');

create table addresses (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  label text,
  street text not null,
  street2 text,
  city text not null,
  city_key text generated always as (lower(city)) stored,
  region text,
  postal_code text,
  country text not null,
  access_notes text,
  latitude double precision,
  longitude double precision,
  timezone text,
  is_primary boolean not null default false,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint address_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade,
  constraint address_country check (country ~ '^[A-Z]{2}$'),
  constraint address_position check ((latitude is null) = (longitude is null))
);
create unique index one_primary_address on addresses (org_id, contact_id) where is_primary;
create index addresses_of_contact on addresses (org_id, contact_id, id);
create index addresses_by_city on addresses (org_id, city_key, contact_id);
create index addresses_by_postal_code on addresses (org_id, postal_code, contact_id);
comment on constraint address_of_contact on addresses is 'Name a contact of this organization.';
comment on constraint address_country on addresses is 'A country is an ISO 3166-1 code of two letters such as US.';
comment on constraint address_position on addresses is 'Give latitude and longitude together or neither.';
select frontdesk.enable_tenant('addresses', subject => 'contact_id', derived => '{city_key}');
create trigger redact before insert or update on addresses for each row
  execute function frontdesk.redact_columns('access_notes');

create table notes (
  org_id uuid not null,
  id uuid not null,
  contact_id uuid not null,
  content text not null,
  author_kind text not null,
  author_id uuid,
  author_name text not null,
  source text not null,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint note_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade,
  constraint note_author_kind check (author_kind in ('user', 'agent', 'system', 'customer', 'import'))
);
create index notes_of_contact on notes (org_id, contact_id, id);
comment on constraint note_of_contact on notes is 'Name a contact of this organization.';
comment on constraint note_author_kind on notes is 'A note is by a user, an agent, the system, a customer or an import.';
select frontdesk.enable_tenant('notes', subject => 'contact_id');
create trigger redact before insert or update on notes for each row execute function frontdesk.redact_columns('content');

-- Finding contacts

-- Folded text is what search compares: lower case, without accents and apostrophes.
create function frontdesk.fold(input text) returns text language sql stable parallel safe
  set search_path = pg_catalog, public
  as $$ select translate(lower(unaccent(input)), '''’`', '') $$;

-- One row per contact with every word it can be found by; kept by a trigger at the end of each call.
-- `misspellings` holds each word of names, places and tags, and what is left of it without one of its letters. Two words
-- that are one slip apart (a letter wrong, missing, too many, or two swapped) have one of these in common, however short
-- they are (the symmetric delete method, https://github.com/wolfgarbe/SymSpell); trigrams find such words only when they
-- are long.
create table contact_search (
  org_id uuid not null,
  id uuid not null,
  name text not null,
  reach text not null,
  place text not null,
  words text not null,
  body text generated always as (name || ' ' || reach || ' ' || place || ' ' || words) stored,
  misspellings text[] not null,
  primary key (org_id, id),
  constraint search_of_contact foreign key (org_id, id) references contacts (org_id, id) on delete cascade
);
create index contact_search_body on contact_search using gin (org_id, body gin_trgm_ops);
create index contact_search_misspellings on contact_search using gin (org_id, misspellings);
comment on constraint search_of_contact on contact_search is 'Search text belongs to a contact.';
select frontdesk.isolate('contact_search', 'select, insert, update, delete');

-- Row security keeps trigram operators out of index conditions, because they are not leakproof. The owner's
-- view carries the same condition without that barrier; it shows ids and search text only, and every search
-- joins its hits back to tables under row security.
create view frontdesk.contact_search as
  select org_id, id, name, reach, place, words, body, misspellings from public.contact_search where org_id = frontdesk.org_id();
grant select on frontdesk.contact_search to frontdesk_app;

create table contact_tags (
  org_id uuid not null,
  contact_id uuid not null,
  tag text not null,
  primary key (org_id, tag, contact_id),
  constraint tag_of_contact foreign key (org_id, contact_id) references contacts (org_id, id) on delete cascade
);
create index contact_tags_of_contact on contact_tags (org_id, contact_id);
comment on constraint tag_of_contact on contact_tags is 'A tag belongs to a contact.';
select frontdesk.isolate('contact_tags', 'select, insert, update, delete');

create function frontdesk.misspellings(folded text) returns text[] language sql immutable parallel safe
  set search_path = pg_catalog as $$
  select coalesce(array_agg(distinct spelling), '{}')
    from (select distinct word from regexp_split_to_table(folded, '[^[:alnum:]]+') word where word ~ '[[:alpha:]]') words
   cross join lateral (
     select word
     union all
     select overlay(word placing '' from nth for 1) from generate_series(1, length(word)) nth where length(word) > 3
   ) as spellings (spelling)
$$;

create function frontdesk.index_contact(org uuid, contact uuid) returns void
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  insert into contact_search (org_id, id, name, reach, place, words, misspellings)
  select org, contact, t.name, t.reach, t.place, t.tags || t.notes,
         frontdesk.misspellings(t.name || ' ' || t.place || ' ' || t.tags)
    from (
      select frontdesk.fold(c.display_name) as name,
             coalesce((select string_agg(e.email_key, ' ' order by e.position)
                         from contact_emails e where e.org_id = org and e.contact_id = contact), '')
               || coalesce((select ' ' || string_agg(
                                coalesce(ltrim(p.e164, '+') || ' ', '') || regexp_replace(p.phone, '[^0-9]', '', 'g'),
                                ' ' order by p.position)
                         from contact_phones p where p.org_id = org and p.contact_id = contact), '') as reach,
             coalesce((select string_agg(frontdesk.fold(concat_ws(' ', a.label, a.street, a.street2, a.city, a.postal_code)),
                                ' ' order by a.id)
                         from addresses a where a.org_id = org and a.contact_id = contact), '') as place,
             frontdesk.fold(array_to_string(c.tags, ' ')) as tags,
             coalesce((select ' ' || string_agg(frontdesk.fold(n.content), ' ' order by n.id)
                         from notes n where n.org_id = org and n.contact_id = contact), '') as notes
        from contacts c
       where c.org_id = org and c.id = contact
    ) t
  on conflict (org_id, id) do update
    set name = excluded.name, reach = excluded.reach, place = excluded.place, words = excluded.words,
        misspellings = excluded.misspellings;
end $$;

create function frontdesk.index_tags() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  delete from contact_tags where org_id = new.org_id and contact_id = new.id and not tag = any (new.tags);
  insert into contact_tags (org_id, contact_id, tag)
    select new.org_id, new.id, tag from unnest(new.tags) tag on conflict do nothing;
  return null;
end $$;

create trigger tags after insert or update of tags on contacts for each row execute function frontdesk.index_tags();

-- Every call ends with its line in the call log. The row log then knows which contacts it changed, in whatever table, so
-- each is indexed once per call, and no writer can forget it.
create function frontdesk.index_changed_contacts() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  perform frontdesk.index_contact(new.org_id, changed.contact)
     from (
       select distinct subject_contact_id as contact
         from row_log
        where org_id = new.org_id and call_id = new.id and subject_contact_id is not null
     ) changed;
  return null;
end $$;

create trigger search after insert on call_log for each row when (new.outcome = 'done')
  execute function frontdesk.index_changed_contacts();

-- Questions asked before the organization is known

-- The fixed list of functions that look beyond row security. A test holds it.

-- The agent a token belongs to, by the organization and prefix that the token carries in clear. The hash is
-- compared by the caller, in constant time.
create function frontdesk.agent_by_token(org uuid, prefix text)
  returns table (agent_id uuid, name text, token_hash bytea, expires_at timestamptz, disabled_at timestamptz,
                 timezone text, currency text, country text)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select a.id, a.name, a.token_hash, a.expires_at, a.disabled_at, o.timezone, o.currency, o.country
    from agents a
    join orgs o on o.org_id = a.org_id and o.id = a.org_id
   where a.org_id = org and a.token_prefix = prefix
$$;

-- The agent of that name, for callers that the machine itself vouches for.
create function frontdesk.agent_by_name(org uuid, agent_name text)
  returns table (agent_id uuid, disabled_at timestamptz, timezone text, currency text, country text)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select a.id, a.disabled_at, o.timezone, o.currency, o.country
    from agents a
    join orgs o on o.org_id = a.org_id and o.id = a.org_id
   where a.org_id = org and a.name = agent_name
$$;

-- The organizations of this installation, oldest first.
create function frontdesk.org_ids() returns table (org_id uuid)
  language sql stable security definer set search_path = pg_catalog, public
  as $$ select org_id from orgs order by created_at, org_id $$;
