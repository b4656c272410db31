-- What a rule would have let through is looked up by action, for one agent or for all.

set lock_timeout = '5s';

create index authorizations_by_action on authorizations (org_id, action, id);
