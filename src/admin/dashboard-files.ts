// Reads the built dashboard: the page, and its assets by name.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export interface PageFile {
  readonly type: string;
  readonly bytes: Buffer;
  readonly gzip: Buffer;
}

export interface Page {
  readonly page: PageFile;
  /** By name; there are no others. */
  readonly assets: ReadonlyMap<string, PageFile>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
};

const compress = promisify(gzip);

/** @throws where it was not built */
export async function loadPage(folder: string): Promise<Page> {
  const names = (await readdir(folder)).filter((name) => /-\w+\.(?:js|css)$/.test(name));
  const assets = await Promise.all(names.map(async (name) => [name, await load(join(folder, name))] as const));
  return { page: await load(join(folder, 'index.html')), assets: new Map(assets) };
}

async function load(path: string): Promise<PageFile> {
  const bytes = await readFile(path);
  const type = TYPES[path.slice(path.lastIndexOf('.') + 1)] ?? '';
  return { type, bytes, gzip: await compress(bytes, { level: 9 }) };
}
