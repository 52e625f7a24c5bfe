// The commands that the library sends, executed as Redis would.
import { CLAIM_SCRIPTS, SCRIPTS } from '../library.mjs';
import { CLAIM_BODIES } from './claims.mjs';
import { BODIES } from './script.mjs';

/** @typedef {import('./server.mjs').RedisServer} RedisServer */
/** @typedef {import('./script.mjs').Argument} Argument */
/** @typedef {import('./script.mjs').Reply} Reply */
/** @typedef {import('./script.mjs').Script} Script */
/** @typedef {import('./script.mjs').ScriptClass} ScriptClass */

/** @typedef {keyof typeof SCRIPTS | keyof typeof CLAIM_SCRIPTS} Name */

const ALL = /** @type {[name: Name, script: { lua: string, sha: string }][]} */ (
  Object.entries({ ...SCRIPTS, ...CLAIM_SCRIPTS })
);

/** Names of scripts by their hash. @type {ReadonlyMap<string, Name>} */
export const NAMES = new Map(ALL.map(([name, { sha }]) => [sha, name]));

const SHA_BY_LUA = new Map(ALL.map(([, { lua, sha }]) => [lua, sha]));

/**
 * Executes one command as Redis would.
 * @param {RedisServer} server
 * @param {ScriptClass} scriptClass
 * @param {string} command
 * @param {readonly Argument[]} args
 * @param {(name: string, script: Script, reply: Reply) => void} [observe]
 * @returns {unknown} an Error is an error reply
 */
export function execute(server, scriptClass, command, args, observe) {
  switch (command) {
    case 'evalsha':
    case 'eval': {
      const [text, count, ...rest] = args;
      const sha = command === 'evalsha' ? String(text) : SHA_BY_LUA.get(String(text));
      const name = NAMES.get(sha ?? '');
      if (sha === undefined || name === undefined)
        throw new Error(`No port of the script ${String(text).slice(0, 60)}`);
      if (command === 'eval') server.loaded.add(sha);
      else if (!server.loaded.has(sha)) return new Error('NOSCRIPT No matching script. Please use EVAL.');
      const keys = rest.slice(0, Number(count)).map(String);
      const given = rest.slice(Number(count));
      if (name === 'claim' || name === 'settle') return CLAIM_BODIES[name](server, keys, given);
      if (server.refusesInfo && String(given[2]) === 'info') return new Error('NOINFO this user may not run INFO');
      const script = new scriptClass(server, keys, given);
      script.guard();
      const reply = BODIES[name](script);
      observe?.(name, script, reply);
      return reply;
    }
    case 'hmget': {
      const [key, ...fields] = args.map(String);
      return fields.map((field) => {
        const value = server.hash(key ?? '')?.get(field);
        return value === undefined ? null : Buffer.from(value);
      });
    }
    case 'publish': {
      const [channel, message] = args.map(String);
      server.publish(channel ?? '', message ?? '');
      return 0;
    }
    default:
      throw new Error(`The simulated Redis does not know ${command}.`);
  }
}
