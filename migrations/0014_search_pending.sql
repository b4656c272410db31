-- New entries of a GIN index wait in a list that every search reads through. With the default of 4 MB a search takes ten
-- times as long after a few hundred changes; emptied earlier, changes stay nearly as quick.
-- https://www.postgresql.org/docs/15/gin-implementation.html#GIN-FAST-UPDATE

set lock_timeout = '5s';

alter index contact_search_body set (gin_pending_list_limit = 64);
alter index contact_search_misspellings set (gin_pending_list_limit = 64);
