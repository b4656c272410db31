-- The people of a business, and how they sign in.

set lock_timeout = '5s';

create table users (
  org_id uuid not null,
  id uuid not null,
  email text not null,
  email_key text generated always as (lower(email)) stored,
  name text not null,
  role text not null,
  deactivated_at timestamptz,
  version integer not null default 1,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (org_id, id),
  constraint user_email_taken unique (org_id, email_key),
  constraint user_role check (role in ('technician', 'manager', 'owner'))
);
-- Somebody signs in by address, before the organization is known.
create index users_by_email on users (email_key);
comment on constraint user_email_taken on users is 'Somebody of this organization has this e-mail address.';
comment on constraint user_role on users is 'A role is technician, manager or owner.';
select frontdesk.enable_tenant('users', derived => '{email_key}');

-- A link that signs a person in, once. Only its hash is kept.
create table sign_in_links (
  org_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  token_hash bytea not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (org_id, id),
  constraint sign_in_link_of_user foreign key (org_id, user_id) references users (org_id, id) on delete cascade,
  constraint sign_in_link_taken unique (org_id, token_hash)
);
create index sign_in_links_of_user on sign_in_links (org_id, user_id, id);
comment on constraint sign_in_link_of_user on sign_in_links is 'A sign-in link belongs to a user.';
comment on constraint sign_in_link_taken on sign_in_links is 'Two links are alike: make another one.';
select frontdesk.isolate('sign_in_links', 'select, insert, update, delete');

-- A browser or program in which a person is signed in. Only the hash of its cookie is kept.
create table sessions (
  org_id uuid not null,
  id uuid not null,
  user_id uuid not null,
  token_hash bytea not null,
  client text,
  created_at timestamptz not null,
  last_seen_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (org_id, id),
  constraint session_of_user foreign key (org_id, user_id) references users (org_id, id) on delete cascade,
  constraint session_taken unique (org_id, token_hash)
);
create index sessions_of_user on sessions (org_id, user_id, id);
comment on constraint session_of_user on sessions is 'A session belongs to a user.';
comment on constraint session_taken on sessions is 'Two sessions are alike: sign in again.';
select frontdesk.isolate('sessions', 'select, insert, update, delete');

-- Questions asked before the organization is known

-- The active users with this address: one person may belong to several organizations.
create function frontdesk.users_by_email(address text) returns table (org_id uuid, user_id uuid)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select u.org_id, u.id from users u where u.email_key = lower(address) and u.deactivated_at is null
   order by u.created_at, u.org_id
$$;

-- The person a session belongs to, by the organization that its token carries in clear and the token's hash.
create function frontdesk.user_by_session(org uuid, hash bytea)
  returns table (session_id uuid, user_id uuid, name text, role text, deactivated_at timestamptz,
                 last_seen_at timestamptz, expires_at timestamptz, timezone text, currency text, country text)
  language sql stable security definer set search_path = pg_catalog, public as $$
  select s.id, u.id, u.name, u.role, u.deactivated_at, s.last_seen_at, s.expires_at, o.timezone, o.currency, o.country
    from sessions s
    join users u on u.org_id = s.org_id and u.id = s.user_id
    join orgs o on o.org_id = s.org_id and o.id = s.org_id
   where s.org_id = org and s.token_hash = hash
$$;
