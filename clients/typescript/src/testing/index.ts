// For tests of programs that use this package.

export { FakeRedis } from './fake.js';
