// Solves one challenge away from the page, which stays quick to the touch.

import { payload, solve, type Challenge } from './captcha-solve';

addEventListener('message', (e: MessageEvent<Challenge>) => {
  solve(e.data.parameters).then(
    (solution) => postMessage({ answer: payload(e.data, solution) }),
    (err: unknown) => postMessage({ error: String(err) }),
  );
});
