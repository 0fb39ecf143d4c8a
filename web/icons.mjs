// Draws public/icon.svg as the PNG files that systems ask for, where they take no SVG: `npm run icons`. A test checks
// that the files are what this draws. It knows of SVG what the icon has: one rect, circles, and paths of M, V, v and a.
import { readFileSync, writeFileSync } from 'node:fs';
import { deflateSync, crc32 } from 'node:zlib';

const folder = new URL('public/', import.meta.url);

/** The files: how large, whether systems cut them to their own shape, and whether only the shape counts. */
export const icons = [
  { file: 'icon-192.png', size: 192 },
  { file: 'icon-512.png', size: 512 },
  { file: 'maskable-192.png', size: 192, maskable: true },
  { file: 'maskable-512.png', size: 512, maskable: true },
  { file: 'badge.png', size: 96, badge: true },
];

const safe = 0.88; // of a figure that is cut to a circle: all of ours is within 80 % of the width then
const steps = 48; // of an arc

const attributes = (tag) => Object.fromEntries([...tag.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, k, v]) => [k, v]));
const hex = (colour) => {
  const digits = colour.slice(1);
  const pairs = digits.length === 3 ? [...digits].map((d) => d + d) : digits.match(/../g);
  return pairs.map((pair) => parseInt(pair, 16));
};

/** The points of a path. */
function points(d) {
  const out = [];
  let [x, y] = [0, 0];
  for (const [, command, rest] of d.matchAll(/([a-zA-Z])([^a-zA-Z]*)/g)) {
    const n = (rest.match(/-?[\d.]+/g) ?? []).map(Number);
    if (command === 'M') [x, y] = n;
    else if (command === 'V') y = n[0];
    else if (command === 'v') y += n[0];
    else if (command === 'a') {
      const [r, , , large, sweep, dx, dy] = n;
      const half = Math.hypot(dx, dy) / 2;
      const away = Math.sqrt(Math.max(0, r * r - half * half)) * (large === sweep ? -1 : 1);
      const [cx, cy] = [x + dx / 2 - (away * dy) / (2 * half), y + dy / 2 + (away * dx) / (2 * half)];
      const from = Math.atan2(y - cy, x - cx);
      let turn = Math.atan2(y + dy - cy, x + dx - cx) - from;
      if (sweep && turn <= 0) turn += 2 * Math.PI;
      if (!sweep && turn >= 0) turn -= 2 * Math.PI;
      for (let i = 1; i < steps; i++) {
        const at = from + (turn * i) / steps;
        out.push([cx + r * Math.cos(at), cy + r * Math.sin(at)]);
      }
      [x, y] = [x + dx, y + dy];
    } else throw new Error(`icon.svg has a path with ${command}, which icons.mjs does not draw`);
    out.push([x, y]);
  }
  return out;
}

/** How far a point is from a line through points. */
function distance(px, py, line) {
  let least = Infinity;
  for (let i = 1; i < line.length; i++) {
    const [[ax, ay], [bx, by]] = [line[i - 1], line[i]];
    const [vx, vy] = [bx - ax, by - ay];
    const at = Math.min(1, Math.max(0, ((px - ax) * vx + (py - ay) * vy) / (vx * vx + vy * vy || 1)));
    least = Math.min(least, Math.hypot(px - ax - at * vx, py - ay - at * vy));
  }
  return least;
}

/** The shapes of the icon: a colour each, and how far outside of it a point is. */
function shapes(svg) {
  return [...svg.matchAll(/<(rect|circle|path)\b[^>]*>/g)].map(([tag, name]) => {
    const a = attributes(tag);
    const number = (key) => Number(a[key] ?? 0);
    if (name === 'circle')
      return { fill: hex(a.fill), outside: (x, y) => Math.hypot(x - number('cx'), y - number('cy')) - number('r') };
    if (name === 'path') {
      const line = points(a.d);
      return { fill: hex(a.stroke), outside: (x, y) => distance(x, y, line) - number('stroke-width') / 2 };
    }
    const [w, h, rx] = ['width', 'height', 'rx'].map(number);
    const outside = (x, y) => {
      const [dx, dy] = [Math.abs(x - w / 2) - w / 2 + rx, Math.abs(y - h / 2) - h / 2 + rx];
      return Math.hypot(Math.max(dx, 0), Math.max(dy, 0)) + Math.min(Math.max(dx, dy), 0) - rx;
    };
    return { fill: hex(a.fill), outside, ground: true };
  });
}

/** The pixels of one file: red, green, blue and alpha of each. */
export function draw({ size, maskable = false, badge = false }) {
  const svg = readFileSync(new URL('icon.svg', folder), 'utf8');
  const [, width] = /viewBox="0 0 (\d+) \1"/.exec(svg);
  const unit = size / width;
  const scale = maskable ? safe : 1;
  const pixels = Buffer.alloc(size * size * 4);
  const all = shapes(svg).filter((s) => !(badge && s.ground));
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const [x, y] = [(column + 0.5) / unit, (row + 0.5) / unit];
      const [fx, fy] = [x, y].map((v) => (v - width / 2) / scale + width / 2);
      let [r, g, b, alpha] = [0, 0, 0, 0];
      for (const { fill, outside, ground } of all) {
        const far = ground && maskable ? -1 : (ground ? outside(x, y) : outside(fx, fy) * scale) * unit;
        const over = Math.min(1, Math.max(0, 0.5 - far));
        if (!over) continue;
        const under = alpha * (1 - over);
        const [nr, ng, nb] = badge ? [255, 255, 255] : fill;
        alpha = over + under;
        [r, g, b] = [
          [r, nr],
          [g, ng],
          [b, nb],
        ].map(([was, now]) => (now * over + was * under) / alpha);
      }
      pixels.set([r, g, b, alpha * 255].map(Math.round), (row * size + column) * 4);
    }
  return pixels;
}

function png(size, pixels) {
  const row = (i) => [Buffer.from([0]), pixels.subarray(i * size * 4, (i + 1) * size * 4)];
  const rows = Array.from({ length: size }, (_, i) => row(i));
  const part = (type, data) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    sum.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, sum]);
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6], 8); // eight bits of red, green, blue and alpha
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    part('IHDR', head),
    part('IDAT', deflateSync(Buffer.concat(rows.flat()), { level: 9 })),
    part('IEND', Buffer.alloc(0)),
  ]);
}

if (import.meta.main ?? process.argv[1] === new URL(import.meta.url).pathname)
  for (const icon of icons) writeFileSync(new URL(icon.file, folder), png(icon.size, draw(icon)));
