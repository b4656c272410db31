-- Every call ends with its line in the call log. The row log then knows which contacts it changed, in whatever table, so each is
-- indexed once per call, and no writer can forget it. What a call changes of a ticket itself is no part of its customer's search
-- text. A part that goes to another contact, as when a merge is undone, changes the text of both. Contacts are indexed in the
-- order of their ids, so that two calls that end at the same time do not wait for each other in a circle.
create or replace function frontdesk.index_changed_contacts() returns trigger
  language plpgsql set search_path = pg_catalog, public, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
  contacts uuid[];
  notes uuid[];
begin
  select array_agg(distinct side.contact) filter (where l.table_name <> 'notes' and side.contact is not null),
         array_agg(distinct l.row_id) filter (where l.table_name = 'notes')
    into contacts, notes
    from row_log l
   cross join lateral unnest(array[l.subject_contact_id, (l.old_values ->> 'contact_id')::uuid]) side (contact)
   where l.org_id = new.org_id and l.call_id = new.id
     and (l.table_name = 'contacts' and (l.change <> 'updated' or l.new_values ?| array[
            'kind', 'given_name', 'family_name', 'organization_name', 'tags', 'archived_at'])
       or l.table_name = 'contact_emails' and (l.change <> 'updated' or l.new_values ?| array['contact_id', 'email', 'position'])
       or l.table_name = 'contact_phones' and (l.change <> 'updated' or l.new_values ?| array[
            'contact_id', 'phone', 'e164', 'position'])
       or l.table_name = 'addresses' and (l.change <> 'updated' or l.new_values ?| array[
            'contact_id', 'label', 'street', 'street2', 'city', 'postal_code', 'removed_at'])
       or l.table_name = 'notes' and (l.change = 'created' or l.new_values ?| array['contact_id', 'content']));
  if contacts is not null then
    perform frontdesk.index_contacts(new.org_id, contacts);
  end if;
  if notes is not null then
    perform frontdesk.index_notes(new.org_id, notes);
  end if;
  return null;
end $$;
comment on function frontdesk.index_changed_contacts() is
  'Trigger on the call log: makes the search text anew of what the call changed.';
