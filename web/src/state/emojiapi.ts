// Emoji of the server, by REST.

import type { Api } from '../net/api';
import type { CustomEmoji, EmojiApi, EmojiList } from '../view/emojiport';
import type { Me } from '../view/types';

const pathOf = (name: string) => `/emoji/${encodeURIComponent(name)}`;

export class ServerEmojiApi implements EmojiApi {
  readonly #api: Api<Me>;

  constructor(api: Api<Me>) {
    this.#api = api;
  }

  all(): Promise<EmojiList> {
    return this.#api.call('GET', '/emoji');
  }
  add(name: string, picture: Blob): Promise<CustomEmoji> {
    return this.#api.call('PUT', pathOf(name), picture);
  }
  remove(name: string): Promise<void> {
    return this.#api.call('DELETE', pathOf(name));
  }
}
