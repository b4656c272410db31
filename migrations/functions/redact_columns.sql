create or replace function frontdesk.redact_columns() returns trigger
  language plpgsql
  set search_path = pg_catalog, frontdesk
as $$
declare
  written constant jsonb := to_jsonb(new);
  redacted jsonb := '{}';
  name text;
  output text;
begin
  foreach name in array tg_argv loop
    if coalesce(jsonb_typeof(written -> name), 'missing') not in ('string', 'null') then
      raise exception '%.% cannot be redacted: it is no text column', tg_table_name, name;
    end if;
    output := frontdesk.redact(written ->> name);
    if output <> written ->> name then
      redacted := redacted || jsonb_build_object(name, output);
    end if;
  end loop;
  if redacted <> '{}' then
    return jsonb_populate_record(new, redacted);
  end if;
  return new;
end
$$;
comment on function frontdesk.redact_columns() is
  'Trigger for insert and update: redacts the text columns named as its arguments.';
