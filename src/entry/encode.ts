// Turns any text into a segment that can stand in a key or a tag: injective, bounded, without separators.
import * as crypto from 'node:crypto';

const LONGEST = 120;

/**
 * SHA-256 over the UTF-16 code units, as base64url (43 characters, never truncated): no one can play for collisions in
 * a key, and unlike UTF-8 this keeps two different lone surrogates apart.
 */
export const sha256: (text: string) => string =
  typeof crypto.hash === 'function'
    ? (text) => crypto.hash('sha256', Buffer.from(text, 'utf16le'), 'base64url')
    : (text) => crypto.createHash('sha256').update(text, 'utf16le').digest('base64url');

function encodeChar(char: string): string {
  // A lone surrogate has no UTF-8 form; encoding it as a code unit keeps two different ones apart.
  if (char.length === 1 && char >= '\uD800' && char <= '\uDFFF')
    return `%u${char.charCodeAt(0).toString(16).toUpperCase()}`;
  let encoded = '';
  for (const byte of Buffer.from(char)) encoded += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  return encoded;
}

/** The text of a segment; what was too long, and half a character, stay as they are written. */
export function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/**
 * Encodes `text` with the alphabet `A-Z a-z 0-9 . _ - %`. Text whose encoding is longer than 120 characters becomes
 * `~` and its SHA-256, so keys stay short whatever a client sends; `~` occurs in no other encoding.
 */
export function encodeSegment(text: string): string {
  if (/^[A-Za-z0-9._-]{1,120}$/.test(text)) return text;
  const encoded = text.length > LONGEST ? '' : text.replace(/[^A-Za-z0-9._-]/gu, encodeChar);
  return text !== '' && (encoded === '' || encoded.length > LONGEST) ? `~${sha256(text)}` : encoded;
}
