// The DataSources that a cache follows, and the one among them that holds its outbox.
import { connectDurable, type DurableConnection, type DurableParts } from './connect-durable.js';
import { ReportCacheError } from './contract/errors.js';
import type { ConnectOptions } from './options/options.js';
import type { TypeormPlugin } from './typeorm/plugin.js';
import type { Triggers } from './typeorm/triggers/triggers.js';
import type { DataSourceLike } from './typeorm/typeorm-like.js';

export class DataSources {
  #durable: { readonly dataSource: object; readonly connection: DurableConnection } | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly typeorm: TypeormPlugin,
    private readonly parts: Omit<DurableParts, 'triggers'>,
  ) {}

  /** The outbox at work; undefined while there is none. */
  get outbox(): DurableConnection | undefined {
    return this.#durable?.connection;
  }

  connect(dataSource: object, options: ConnectOptions): Promise<void> {
    return this.#inTurn(async () => {
      await this.typeorm.connect(dataSource);
      if (this.#closed) return;
      if (this.#durable !== undefined) {
        if (this.#durable.dataSource === dataSource || options.durable !== true) return;
        throw new ReportCacheError('ERC_OUTBOX', 'Another DataSource already holds the outbox of this cache.');
      }
      const triggers = () => this.typeorm.triggers(dataSource, this.parts.namespace);
      const connection = await connectDurable(dataSource as DataSourceLike, options, { ...this.parts, triggers });
      if (connection === undefined) return;
      this.#durable = { dataSource, connection };
      this.typeorm.setDurable(dataSource, connection);
    });
  }

  disconnect(dataSource: object): Promise<void> {
    return this.#inTurn(async () => {
      this.typeorm.disconnect(dataSource);
      if (this.#durable?.dataSource !== dataSource) return;
      const { connection } = this.#durable;
      this.#durable = undefined;
      await connection.close();
    });
  }

  triggers(dataSource: object): Triggers {
    const triggers = this.typeorm.triggers(dataSource, this.parts.namespace);
    const lookAgain = async () => {
      if (this.#durable?.dataSource === dataSource) await this.#durable.connection.lookAtTriggers();
    };
    return {
      ...triggers,
      install: () => triggers.install().then(lookAgain),
      uninstall: () => triggers.uninstall().then(lookAgain),
    };
  }

  /** The rules have changed, so what the triggers do may not be what they ask for any more. */
  rulesChanged(): void {
    void this.#durable?.connection.lookAtTriggers();
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#inTurn(async () => this.#durable?.connection.close());
  }

  /** One at a time: two of them at once would each think that there is no outbox yet. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
