// INDEX: the current position, nothing else.
import { ALLOW_OOM, GUARD } from './guard.js';

/** KEYS[1] tag table. ARGV[1] spare epoch, ARGV[2] channel. Returns {epoch, seq}. */
export const INDEX = `${ALLOW_OOM}${GUARD}
return {ep, seq}
`;
