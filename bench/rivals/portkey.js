import { Server } from 'node:net';

// Its server takes a port but no host and would listen on every address: here it listens on loopback, on a port of its own.
const listen = Server.prototype.listen;
Server.prototype.listen = function (...args) {
  const callback = args.findLast(arg => typeof arg === 'function');
  return listen.call(this, { host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
    callback?.();
    process.send({ ready: this.address().port });
  });
};
process.argv.push('--headless');
await import('@portkey-ai/gateway/build/start-server.js');
process.on('disconnect', () => process.exit());
