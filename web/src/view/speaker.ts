import type { Face } from './kit/face';
import type { Quote } from './types';

type Said = Pick<Quote, 'sender' | 'face'>;

/** Who wrote a message, in one line: the name that a webhook chose for it, and the webhook's own. */
export const speakerOf = ({ sender, face }: Said): string =>
  face?.name ? `${face.name} (${sender.display_name})` : sender.display_name;

/** What stands for who wrote a message. */
export const pictureOf = ({ sender, face }: Said): Face => ({
  id: sender.id,
  name: face?.name ?? sender.display_name,
  src: face?.picture ?? (face?.emoji ? undefined : sender.avatar),
  emoji: face?.emoji,
  square: sender.kind !== 'user',
});
