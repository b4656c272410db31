-- What people looked at: a preview that was renewed is kept for the pages that still show it, so that they can say what
-- differs now.

set lock_timeout = '5s';

-- When the preview was made; empty: when the request was.
alter table authorizations add column rehearsed_at timestamptz;
-- By plan: {"<hash>": {"preview": …, "rehearsed_at": …}}.
alter table authorizations add column earlier_previews jsonb not null default '{}';
