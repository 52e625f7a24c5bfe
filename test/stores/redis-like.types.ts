// Holds the structural client to the real ones; compiled against ioredis 5 by tsconfig.json and 6 by tsconfig.old-peers.json.
import type { Cluster, Redis } from 'ioredis';
import type { RedisLike, SubscriberLike } from '../../src/contract/redis-like.js';

type Accepts<Wanted, Given extends Wanted> = Given;

export type RedisIsAccepted = Accepts<RedisLike, Redis>;
export type ClusterIsAccepted = Accepts<RedisLike, Cluster>;
export type DuplicateOfRedisIsAccepted = Accepts<SubscriberLike, ReturnType<Redis['duplicate']>>;
export type DuplicateOfClusterIsAccepted = Accepts<SubscriberLike, ReturnType<Cluster['duplicate']>>;
