-- Card and social security numbers are never stored. The same rules as in Rust, where they are explained (redact.rs);
-- redact_vectors.json holds both to them. Here they are the last line: whatever path a text took, no such number is stored.
create or replace function frontdesk.redact(input text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  output text := input;
  previous text;
begin
  loop
    if length(output) - length(translate(output, '0123456789０１２３４５６７８９', '')) < 9 then
      return output;
    end if;
    previous := output;
    output := frontdesk.redact_once(previous);
    if output = previous then
      return output;
    end if;
  end loop;
end
$$;
comment on function frontdesk.redact(text) is
  'Replaces payment card and social security numbers by [REDACTED].';
