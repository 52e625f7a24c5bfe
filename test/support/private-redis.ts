// A Redis for one test, to flush, stop, crash and restart as it likes.
import { startRedis } from './redis-service.mjs';

export interface PrivateRedis {
  readonly url: string;
  readonly port: number;
  /** Clean shutdown; clients see the connection close. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay open, the kernel takes what is sent, and nothing is answered. */
  hang(): void;
  /** SIGCONT: what was sent meanwhile is answered now. */
  wake(): void;
  /** Stops it if it runs, then starts an empty one on the same port: data, scripts and replication id are new. */
  restart(): Promise<void>;
}

/**
 * Starts `redis-server` on a free port, empty and without persistence. It ends with the test process at the latest.
 * @param args more of its options, e.g. `['--maxmemory', '2mb']`.
 */
export async function startPrivateRedis(args: readonly string[] = []): Promise<PrivateRedis> {
  let server = await startRedis({ args });
  const { url, port } = server;
  let hanging = false;
  const wake = () => {
    hanging = false;
    process.kill(server.pid, 'SIGCONT');
  };
  return {
    url,
    port,
    async stop() {
      if (hanging) wake();
      await server.stop();
    },
    async kill() {
      hanging = false;
      await server.kill();
    },
    hang() {
      hanging = true;
      process.kill(server.pid, 'SIGSTOP');
    },
    wake,
    async restart() {
      await server.stop();
      server = await startRedis({ port, args });
    },
  };
}
