// The headers of a 304: what a 200 would have had, without those that describe its body (RFC 9110 §15.4.5, §8.6).

/** Lower-case names of fields that a 304 leaves out. Content-Length could only be the 200's, and HTTP/2 proxies reject any other. */
export const BODY_FIELDS: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'transfer-encoding',
  'trailer',
]);
