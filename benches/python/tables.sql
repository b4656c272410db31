-- What the Python servers keep: the same rows with the same ids as the organization :org, in tables as one would make them
-- for such a server. No row security, no triggers, no log. The search text is a column that the application fills.
\set ON_ERROR_STOP on
begin;
create schema comparison;
create table comparison.contacts (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  kind text not null default 'person',
  given_name text,
  family_name text,
  display_name text not null,
  preferred_time text not null default 'any',
  tags text[] not null default '{}',
  search tsvector not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (org_id, id)
);
create table comparison.contact_emails (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  contact_id uuid not null,
  email text not null,
  type text not null default 'other',
  is_primary boolean not null default true,
  primary key (org_id, id),
  foreign key (org_id, contact_id) references comparison.contacts (org_id, id) on delete cascade
);
create table comparison.contact_phones (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  contact_id uuid not null,
  phone text not null,
  type text not null default 'other',
  is_primary boolean not null default true,
  primary key (org_id, id),
  foreign key (org_id, contact_id) references comparison.contacts (org_id, id) on delete cascade
);
create table comparison.addresses (
  org_id uuid not null,
  id uuid not null default gen_random_uuid(),
  contact_id uuid not null,
  street text not null,
  city text not null,
  region text,
  postal_code text,
  country text not null default 'US',
  is_primary boolean not null default true,
  primary key (org_id, id),
  foreign key (org_id, contact_id) references comparison.contacts (org_id, id) on delete cascade
);

insert into comparison.contacts (org_id, id, kind, given_name, family_name, display_name, preferred_time, tags, search,
                                 created_at, updated_at)
  select c.org_id, c.id, c.kind, c.given_name, c.family_name, c.display_name, c.preferred_time, c.tags,
         to_tsvector('simple', concat_ws(' ', c.display_name, e.email, p.phone, a.street, a.city, a.region, a.postal_code)),
         c.created_at, c.updated_at
    from public.contacts c
    join public.contact_emails e on e.org_id = c.org_id and e.contact_id = c.id
    join public.contact_phones p on p.org_id = c.org_id and p.contact_id = c.id
    join public.addresses a on a.org_id = c.org_id and a.contact_id = c.id
   where c.org_id = :'org';
insert into comparison.contact_emails
  select org_id, id, contact_id, email, type, is_primary from public.contact_emails where org_id = :'org';
insert into comparison.contact_phones
  select org_id, id, contact_id, phone, type, is_primary from public.contact_phones where org_id = :'org';
insert into comparison.addresses
  select org_id, id, contact_id, street, city, region, postal_code, country, is_primary from public.addresses
   where org_id = :'org';

create index contacts_search on comparison.contacts using gin (search);
create index on comparison.contact_emails (org_id, contact_id);
create index on comparison.contact_phones (org_id, contact_id);
create index on comparison.addresses (org_id, contact_id);
commit;
vacuum analyze;
