// Which SQL functions cannot write rows, for statements that have to be proved harmless.

/** Words that stand before a parenthesis without calling a function, and constructs that no catalogue lists. */
const CONSTRUCTS = `
all and any array as asc between bernoulli by case cast check coalesce collate conflict cube cross current_date
current_time current_timestamp default desc distinct do else end escape except exists extract fetch filter for from full
greatest group grouping having ignore ilike in inner intersect into is join key lateral least left like limit localtime
localtimestamp materialized natural not nothing null nullif offset on only or order ordinality outer output over overlay
partition position primary recursive references returning right rollup row rows select set sets similar some substring
system table tablesample then to treat trim union unique update using values varying when where window with within xmlelement
xmlforest json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize json_table
json_value xmlagg xmlattributes xmlconcat xmlparse xmlpi xmlroot xmlserialize
bigint binary bit blob bool char character datetime datetime2 datetimeoffset dec decimal double float int integer interval
nchar number numeric nvarchar precision real smallint text time timestamp timestamptz timetz tinyint varbinary varbit varchar
`;

/** Functions known not to write, for databases that cannot be asked. */
const COMMON = `
abs array_agg array_length array_to_string avg bit_and bit_or bool_and bool_or cardinality ceil ceiling char_length
character_length concat concat_ws connection_id convert corr count cume_dist database date date_add date_format date_part date_sub date_trunc
dateadd datediff datename datepart day dayname dayofmonth dayofweek dayofyear dense_rank every exp field find_in_set
first_value floor format from_unixtime generate_series getdate getutcdate group_concat hex hour if ifnull iif instr
isnull json json_agg json_array_length json_build_array json_build_object json_contains json_each json_extract
json_group_array json_group_object json_keys json_length json_quote json_type json_unquote json_valid jsonb_agg
jsonb_build_array jsonb_build_object julianday lag last_day last_value lcase lead length len ln locate log log10 log2 lower
lpad ltrim make_date max md5 min minute mod month monthname now nth_value ntile nvl nvl2 percent_rank percentile_cont
percentile_disc pow power printf quarter quote radians rank regexp_like regexp_match regexp_matches regexp_replace repeat
replace reverse round row_number row_to_json rpad rtrim second sha1 sha2 sign space split_part sqrt std stddev stddev_pop
stddev_samp str_to_date strftime string_agg string_split string_to_array stuff substr substring_index sum sysdate timediff
timestampadd timestampdiff to_char to_date to_json to_jsonb to_number to_timestamp total trunc truncate typeof ucase
unhex unicode unix_timestamp unixepoch unnest upper user utc_timestamp var_pop var_samp variance version week weekday year
`;

/** Volatile in PostgreSQL's catalogue, and yet no writer of table rows. */
const VOLATILE_BUT_HARMLESS = `
clock_timestamp currval gen_random_bytes gen_random_uuid gen_salt last_insert_id last_insert_rowid lastval newid nextval
pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_cancel_backend pg_current_xact_id pg_notify pg_sleep
pg_terminate_backend pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock
pg_try_advisory_xact_lock_shared rand random rowcount set_config setseed setval timeofday txid_current uuid
uuid_generate_v1 uuid_generate_v1mc uuid_generate_v4 uuidv7
`;

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/**
 * @param catalogue names that the database vouches for; without it a fixed list of common functions stands in.
 * @param declared names that the host vouches for.
 */
export function safeFunctions(
  catalogue: readonly string[] | undefined,
  declared: readonly string[],
): ReadonlySet<string> {
  const names = [...words(CONSTRUCTS), ...words(VOLATILE_BUT_HARMLESS), ...(catalogue ?? words(COMMON)), ...declared];
  return new Set(names.map((name) => name.toLowerCase()));
}
