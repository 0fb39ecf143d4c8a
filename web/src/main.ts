import './styles/app.css';
import { mount } from 'svelte';
import { Visit } from './state/session.svelte';
import { language, remembered } from './text/language.svelte';
import { reasonOf } from './view/failure';
import Root from './view/Root.svelte';
import { t } from './view/text';
import { followViewport } from './view/viewport';

function start(): void {
  const session = new Visit(t('error.unreachable'), (err) => reasonOf(err));
  followViewport();
  const target = document.getElementById('app');
  if (target) mount(Root, { target, props: { session } });
  // Nothing is refused before something is asked. Without them a refusal is said in the words of the server.
  language.add(['refused']).catch(() => undefined);
}

// In the right language from the first word on; English does not wait.
void language.use(remembered()).then(start);
