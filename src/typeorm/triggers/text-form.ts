// Which columns a database can write into a tag exactly as the ORM's own path would.
import type { ColumnLike } from '../typeorm-like.js';

/**
 * How a column's value becomes the id of a tag: `plain` is in the alphabet of tags already, `text` has to be encoded,
 * `boolean` is spelled out.
 */
export type TextForm = 'plain' | 'text' | 'boolean';

const FORMS: Readonly<Record<TextForm, RegExp>> = {
  plain: /^(?:tiny|small|medium|big)?int(?:eger)?$|^int\d$|^(?:small|big)?serial\d?$|^number$|^uuid$/,
  text: /^(?:text|(?:n|national )?varchar|character varying|(?:tiny|medium|long)text|string|enum|simple-enum)$/,
  boolean: /^bool(?:ean)?$/,
};

function typeName(type: unknown): string {
  return typeof type === 'function' ? type.name.toLowerCase() : String(type).toLowerCase();
}

/**
 * Undefined where the text of the database and that of the hydrated value may differ: dates, numbers with decimals,
 * padded text, arrays, values behind a transformer.
 */
export function textForm(column: ColumnLike): TextForm | undefined {
  if (column.transformer !== undefined || column.isArray || column.zerofill === true) return undefined;
  const name = typeName(column.type);
  return (Object.keys(FORMS) as TextForm[]).find((form) => FORMS[form].test(name));
}

/** Types whose equality is defined by an extension, which the fixed search_path of a trigger hides. */
const FOREIGN = /^(?:citext|ltree|hstore|cube|geometry|geography|vector|halfvec)$/;

export function comparesPlainly(column: ColumnLike): boolean {
  return !column.isArray && !FOREIGN.test(typeName(column.type));
}
