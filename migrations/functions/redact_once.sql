create or replace function frontdesk.redact_once(input text) returns text
  language plpgsql immutable strict parallel safe
  set search_path = pg_catalog, frontdesk
as $$
declare
  id constant text := '(?<![0-9０-９A-Za-z])'
    '(?:[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{24,})'
    '(?![0-9０-９A-Za-z])';
  chain constant text := '[0-9０-９](?:[ \u00a0\u2000-\u200b\u202f\u3000\u00ad\u2010-\u2015\u2212\uff0d-]{0,3}[0-9０-９])*';
  parts text[] := regexp_split_to_array(input, id);
  ids text[] := array(select hit[1] from regexp_matches(input, '(' || id || ')', 'g') as hit);
  between_chains text[];
  chains text[];
  output text[] := '{}';
  seen text := '';
begin
  for part in 1 .. cardinality(parts) loop
    between_chains := regexp_split_to_array(parts[part], chain);
    chains := array(select hit[1] from regexp_matches(parts[part], '(' || chain || ')', 'g') as hit);
    for nth in 1 .. cardinality(chains) loop
      seen := right(seen || between_chains[nth], 40);
      output := output || (between_chains[nth] || case
        when length(chains[nth]) < 9 then chains[nth]
        else frontdesk.redact_chain(seen, chains[nth], between_chains[nth + 1])
      end);
      seen := right(seen || chains[nth], 40);
    end loop;
    output := output || (between_chains[cardinality(between_chains)] || coalesce(ids[part], ''));
    seen := right(seen || between_chains[cardinality(between_chains)] || ids[part], 40);
  end loop;
  return array_to_string(output, '');
end
$$;
comment on function frontdesk.redact_once(text) is
  'One round of redact: leaves ids alone and looks at each chain of digits in what is between them.';
