-- Every call ends with its line in the call log. The row log then knows which contacts it changed, in whatever table, so each is
-- indexed once per call, and no writer can forget it. What a call changes of a ticket itself is no part of its customer's search
-- text. A part that goes to another contact, as when a merge is undone, changes the text of both. Contacts are indexed in the
-- order of their ids, so that two calls that end at the same time do not wait for each other in a circle.
create or replace function frontdesk.index_changed_contacts() returns trigger
  language plpgsql set search_path = pg_catalog, public set plan_cache_mode = force_generic_plan as $$
begin
  perform frontdesk.index_contact(new.org_id, changed.contact)
     from (
       select distinct contact
         from row_log l
        cross join unnest(array[l.subject_contact_id, (l.old_values ->> 'contact_id')::uuid]) contact
        where l.org_id = new.org_id and l.call_id = new.id and l.table_name <> 'tickets' and contact is not null
        order by contact
     ) changed;
  return null;
end $$;
