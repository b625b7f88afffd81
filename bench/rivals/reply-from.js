import replyFrom from '@fastify/reply-from';
import Fastify from 'fastify';

const app = Fastify({ keepAliveTimeout: 0 });
// A body passes through unread, as @fastify/http-proxy does it.
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
app.register(replyFrom, {
  base: `http://127.0.0.1:${process.argv[2]}`,
  undici: { connections: 20_000, pipelining: 1, bodyTimeout: 0 },
});
app.all('/*', (request, reply) => reply.from(request.raw.url));
await app.listen({ host: '127.0.0.1', port: 0 });
process.send({ ready: app.server.address().port });
process.on('disconnect', () => process.exit());
