// The DataSources that a cache follows, and those among them that hold its outbox and its persisted reports.
import { connectPersisted, type PersistedConnection, type PersistedParts } from './connect-persisted.js';
import { connectDurable, type DurableConnection, type DurableParts } from './connect-durable.js';
import { ReportCacheError } from './contract/errors.js';
import type { ConnectOptions } from './options/options.js';
import type { TypeormPlugin } from './typeorm/plugin.js';
import type { Triggers } from './typeorm/triggers/triggers.js';
import type { DataSourceLike } from './typeorm/typeorm-like.js';

export class DataSources {
  #durable: { readonly dataSource: object; readonly connection: DurableConnection } | undefined;
  #persisted: { readonly dataSource: object; readonly connection: PersistedConnection } | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly typeorm: TypeormPlugin,
    private readonly parts: Omit<DurableParts, 'triggers' | 'persists'>,
    private readonly persistedParts: PersistedParts,
  ) {}

  /** The outbox at work; undefined while there is none. */
  get outbox(): DurableConnection | undefined {
    return this.#durable?.connection;
  }

  /** Where reports are persisted; undefined while they are not. */
  get persisted(): PersistedConnection | undefined {
    return this.#persisted?.connection;
  }

  connect(dataSource: object, options: ConnectOptions): Promise<void> {
    return this.#inTurn(async () => {
      await this.typeorm.connect(dataSource);
      if (this.#closed) return;
      // Before the outbox: what is swept has to be told to it.
      await this.#persistIn(dataSource, options);
      if (this.#durable !== undefined) {
        if (this.#durable.dataSource === dataSource || options.durable !== true) return;
        throw new ReportCacheError('ERC_OUTBOX', 'Another DataSource already holds the outbox of this cache.');
      }
      const triggers = () => this.typeorm.triggers(dataSource, this.parts.namespace);
      const connection = await connectDurable(dataSource as DataSourceLike, options, {
        ...this.parts,
        triggers,
        persists: () => this.#persisted?.dataSource === dataSource,
      });
      if (connection === undefined) return;
      this.#durable = { dataSource, connection };
      this.typeorm.setDurable(dataSource, connection);
    });
  }

  disconnect(dataSource: object): Promise<void> {
    return this.#inTurn(async () => {
      this.typeorm.disconnect(dataSource);
      const [durable, persisted] = [this.#durable, this.#persisted];
      // The sweeper first: what it takes out of the outbox must have reached the other.
      if (durable?.dataSource === dataSource) {
        this.#durable = undefined;
        await durable.connection.close();
      }
      if (persisted?.dataSource !== dataSource) return;
      this.#persisted = undefined;
      await persisted.connection.close();
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
    await this.#inTurn(async () => {
      await this.#durable?.connection.close();
      await this.#persisted?.connection.close();
    });
  }

  async #persistIn(dataSource: object, options: ConnectOptions): Promise<void> {
    if (this.#persisted !== undefined) {
      if (this.#persisted.dataSource === dataSource || options.persist !== true) return;
      throw new ReportCacheError(
        'ERC_PERSIST',
        'Another DataSource already holds the persisted reports of this cache.',
      );
    }
    const connection = await connectPersisted(dataSource as DataSourceLike, options, this.persistedParts);
    if (connection !== undefined) this.#persisted = { dataSource, connection };
  }

  /** One at a time: two of them at once would each think that there is no outbox yet. */
  #inTurn(task: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(task);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}
