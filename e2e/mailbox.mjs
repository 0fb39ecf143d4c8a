// A mail server that keeps what it is given, for tests to read.
import { createServer } from 'node:net';
import { once } from 'node:events';

export class Mailbox {
  #mails = [];
  #waiting = new Set();
  #server = createServer((socket) => this.#serve(socket));

  async open() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `smtp://127.0.0.1:${this.#server.address().port}?tls=off`;
  }

  close() {
    this.#server.close();
  }

  /** The next mail to somebody whose subject matches, taken out of the box. */
  async take(to, subject) {
    const until = Date.now() + 60_000;
    for (;;) {
      const i = this.#mails.findIndex((m) => m.to === to && subject.test(m.subject));
      if (i >= 0) return this.#mails.splice(i, 1)[0];
      if (Date.now() > until)
        throw new Error(
          `no mail to ${to} about ${subject}; there are ${this.#mails.map((m) => `${m.to}: ${m.subject}`).join(', ') || 'none'}`,
        );
      await new Promise((done) => {
        this.#waiting.add(done);
        setTimeout(done, until - Date.now() + 10).unref();
      });
    }
  }

  #serve(socket) {
    let buffer = '';
    let data = false;
    let to = '';
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    const say = (line) => socket.write(`${line}\r\n`);
    say('220 mail.test');
    socket.on('data', (chunk) => {
      buffer += chunk;
      for (;;) {
        const end = buffer.indexOf(data ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const line = buffer.slice(0, end);
        buffer = buffer.slice(end + (data ? 5 : 2));
        if (data) {
          data = false;
          this.#keep(to, line);
          say('250 kept');
        } else if (/^EHLO|^HELO/i.test(line)) say('250 mail.test');
        else if (/^RCPT/i.test(line)) {
          to = /<([^>]*)>/.exec(line)?.[1] ?? '';
          say('250 ok');
        } else if (/^DATA/i.test(line)) {
          data = true;
          say('354 go on');
        } else if (/^QUIT/i.test(line)) {
          say('221 bye');
          socket.end();
        } else say('250 ok');
      }
    });
  }

  #keep(to, raw) {
    const subject = /^Subject: (.*(?:\r\n[ \t].*)*)/im.exec(raw)?.[1] ?? '';
    const text = raw
      .replace(/=\r\n/g, '')
      .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
    this.#mails.push({ to, subject, text, link: /https?:\/\/\S+?#token=[\w-]+/.exec(text)?.[0] });
    for (const done of this.#waiting) done();
    this.#waiting.clear();
  }
}
