// SPDX-License-Identifier: GPL-2.0-or-later
// steps.js - workers, timers, sockets, children, promises; until there is ./go
'use strict';
const { Worker, isMainThread, parentPort } = require('worker_threads');
const { execFile } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const util = require('util');
const zlib = require('zlib');

const STEPS = 40;
const say = (text) => fs.writeSync(1, text + '\n');

function churn(n) {
	let x = n + 1;
	for (let i = 0; i < 200000; i++)
		x = (Math.imul(x, 1103515245) + 12345) >>> 0;
	return x;
}

if (!isMainThread) {
	parentPort.on('message', (n) => {
		if (n === null)
			process.exit(0);
		parentPort.postMessage([n, churn(n)]);
	});
} else {
	main().catch((e) => { say(`wrong: ${e.stack}`); process.exit(1); });
}

function get(port, path) {
	return new Promise((resolve, reject) => {
		http.get({ socketPath: port, path, agent }, (r) => {
			let text = '';
			r.on('data', (d) => { text += d; });
			r.on('end', () => resolve(text));
		}).on('error', reject);
	});
}

const agent = new http.Agent({ keepAlive: true });
const sleep = util.promisify(setTimeout);
const scrypt = util.promisify(crypto.scrypt);

async function main() {
	const workers = [0, 1, 2].map(() => new Worker(__filename));
	const ask = (w, n) => new Promise((resolve) => {
		w.once('message', ([, x]) => resolve(x));
		w.postMessage(n);
	});
	const server = http.createServer((q, a) => a.end(`<${q.url}>`));
	// a restart may come late
	server.keepAliveTimeout = server.headersTimeout = 0;
	server.requestTimeout = 0;
	await new Promise((resolve) => server.listen('socket', resolve));
	const seen = {};
	let acc = 1, i = 0;

	for (; i < STEPS || !fs.existsSync('go'); i++) {
		const n = i % STEPS;
		const [a, key, page, sorted, packed] = await Promise.all([
			Promise.all(workers.map((w, k) => ask(w, n * 3 + k))),
			scrypt(`${n}`, 'salt', 8, { N: 256 }),
			get('socket', `/${n}`),
			util.promisify(execFile)('sh', ['-c',
				`seq 1 ${n + 10} | sort -rn | head -n 1`]),
			util.promisify(zlib.gzip)('x'.repeat(n * 100)),
			sleep(2),
		]);
		await fs.promises.writeFile('part', packed);
		const back = zlib.gunzipSync(await fs.promises.readFile('part'));
		const result = [a.join('+'), key.toString('hex'), page,
			sorted.stdout.trim(), back.length].join(' ');
		if (i < STEPS) {
			seen[n] = result;
			acc = (Math.imul(acc, 69069) + a[0]) >>> 0;
			say(`${i}: ${result}: ${acc}`);
		} else if (seen[n] !== result) {
			say(`wrong: ${n}: ${seen[n]}, ${result}`);
		}
	}
	await Promise.all(workers.map((w) => new Promise((resolve) => {
		w.once('exit', resolve);
		w.postMessage(null);
	})));
	agent.destroy();
	server.close();
	say(`end: ${acc}`);
}
