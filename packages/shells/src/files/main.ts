/**
 * The program that does a user's file calls: it runs where that user's shells run, behind the same bounds, and so reaches what they reach and
 * nothing else. It speaks HTTP on descriptor 3, to the one that started it, and ends with that connection. It imports nothing but Node's own.
 */
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import { answerWith } from '../answers.ts';
import { callFiles } from './calls.ts';

const connection = new Socket({ fd: 3 });
connection.on('close', () => process.exit(0));
connection.on('error', () => process.exit(0));
const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (req, res) => {
  void answerWith(res, callFiles(req, res));
});
server.emit('connection', connection);
