// encodeSegment() of entry/encode.ts as a PostgreSQL function: the same tag for the same id, or none.

/** Longer ids are not worth the time inside somebody's write. */
const LONGEST = 2000;

/**
 * The body of `f(id text) RETURNS text`. NULL where the id cannot be written exactly: empty, beyond all measure, or
 * outside ASCII in a database that does not keep Unicode.
 */
export const SEGMENT_BODY = `
DECLARE
  raw bytea;
  encoded text;
BEGIN
  IF id ~ '^[A-Za-z0-9._-]{1,120}$' COLLATE "C" THEN RETURN id; END IF;
  IF id = '' OR length(id) > ${LONGEST} THEN RETURN NULL; END IF;
  IF getdatabaseencoding() <> 'UTF8' AND id ~ '[^\\x01-\\x7f]' THEN RETURN NULL; END IF;
  raw := convert_to(id, 'UTF8');
  SELECT string_agg(
      CASE WHEN b.byte < 128 AND chr(b.byte) ~ '[A-Za-z0-9._-]' COLLATE "C" THEN chr(b.byte)
        ELSE '%' || upper(lpad(to_hex(b.byte), 2, '0')) END, '' ORDER BY b.i)
    INTO encoded
    FROM (SELECT i, get_byte(raw, i) AS byte FROM generate_series(0, length(raw) - 1) AS i) AS b;
  IF length(encoded) <= 120 THEN RETURN encoded; END IF;
  -- SHA-256 of the UTF-16 code units, low byte first, as base64url.
  SELECT decode(string_agg(lpad(to_hex(((u.unit & 255) << 8) | (u.unit >> 8)), 4, '0'), '' ORDER BY u.i, u.low), 'hex')
    INTO raw
    FROM (
      SELECT c.i, v.low, v.unit
      FROM (SELECT i, ascii(one) AS code FROM unnest(string_to_array(id, NULL)) WITH ORDINALITY AS x(one, i)) AS c
      CROSS JOIN LATERAL (VALUES
        (false, CASE WHEN c.code < 65536 THEN c.code ELSE 55296 + ((c.code - 65536) >> 10) END),
        (true, CASE WHEN c.code < 65536 THEN NULL ELSE 56320 + ((c.code - 65536) & 1023) END)
      ) AS v(low, unit)
      WHERE v.unit IS NOT NULL
    ) AS u;
  RETURN '~' || translate(encode(sha256(raw), 'base64'), '+/=', '-_');
END
`;
