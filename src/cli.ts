#!/usr/bin/env node
// The command `express-report-cache`.
import { realpathSync } from 'node:fs';
import { dirname } from 'node:path';
import { hostIn } from './cli/host.js';
import { main } from './cli/main.js';
import { manageRedis } from './connect-cli.js';

const { argv, env, stdin, stdout, stderr } = process;

// Whoever reads may have seen enough: `| head`.
for (const stream of [stdout, stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

const host = hostIn([process.cwd(), dirname(realpathSync(argv[1] ?? '.'))]);

function onInterrupt(listener: () => void): () => void {
  process.on('SIGINT', listener);
  return () => process.off('SIGINT', listener);
}

void main({ args: argv.slice(2), env, stdin, stdout, stderr, host, manage: manageRedis, onInterrupt }).then((code) => {
  // What an interrupted command has left open must not keep the process.
  process.exit(code);
});
