// Where INFO is refused: a connection that is new may lead to older data, so it begins a new history before anything is believed.
import type { RedisLike } from '../../contract/redis-like.js';

/** How scripts tell whose data they read: by the replication id (`info`), or not at all. */
export type Identification = 'info' | 'none';

type Node = Pick<RedisLike, 'on' | 'off'>;

/** A single server has no nodes, and tells of none. */
interface ClusterLike {
  nodes?(role: 'all'): readonly Node[];
  on(event: '+node', listener: (node: Node) => void): unknown;
  off(event: '+node', listener: (node: Node) => void): unknown;
}

/**
 * A restart from an old snapshot and the promotion of a replica that lags are seen in the replication id, which INFO gives.
 * Without it they have one other trace here: each closes the connections to the server it replaces. So after every close,
 * and at the start, everything becomes cold once. What was sent over one connection and answered over another, as clients do
 * that send anew what was not answered, is not believed.
 */
export class Reconnects {
  #mode: Identification = 'info';
  /** Counts closed connections. */
  #connection = 0;
  /** The connection for which a history is being begun, or has been. */
  #begun: { readonly connection: number; readonly done: Promise<void> } | undefined;

  /**
   * @param begin begins a new history
   * @param refused told once, when INFO turns out to be refused
   */
  constructor(
    private readonly client: RedisLike,
    private readonly begin: () => Promise<void>,
    private readonly refused: () => void,
  ) {}

  /** Leaves nothing on the client, which is the host's. */
  close(): void {
    this.client.off('close', this.#closed);
    this.#cluster.off('+node', this.#follow);
    for (const node of this.#nodes()) node.off('close', this.#closed);
  }

  get mode(): Identification {
    return this.#mode;
  }

  /** Asks Redis; `ask` is called again if it turns out that INFO is refused. */
  async ask<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#mode === 'info') {
      try {
        return await ask();
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#doWithout();
      }
    }
    const connection = this.#connection;
    await this.#beginOnce(connection);
    const answer = await ask();
    this.#assertStill(connection);
    return answer;
  }

  async #beginOnce(connection: number): Promise<void> {
    if (this.#begun?.connection !== connection) this.#begun = { connection, done: this.begin() };
    const begun = this.#begun;
    try {
      await begun.done;
    } catch (error) {
      if (this.#begun === begun) this.#begun = undefined;
      throw error;
    }
    this.#assertStill(connection);
  }

  #assertStill(connection: number): void {
    if (this.#connection !== connection) throw new Error('Redis was reconnected while it was asked.');
  }

  #doWithout(): void {
    if (this.#mode === 'none') return;
    this.#mode = 'none';
    this.client.on('close', this.#closed);
    // A cluster is closed only when its last node is.
    for (const node of this.#nodes()) this.#follow(node);
    this.#cluster.on('+node', this.#follow);
    this.refused();
  }

  readonly #closed = (): void => {
    this.#connection += 1;
  };

  readonly #follow = (node: Node): void => {
    node.on('close', this.#closed);
  };

  get #cluster(): ClusterLike {
    return this.client as unknown as ClusterLike;
  }

  #nodes(): readonly Node[] {
    return this.#cluster.nodes?.('all') ?? [];
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOINFO');
}
