import { t } from '../text';

/** A browser and its system, which the server names as "Firefox on Linux", in the user's language. */
export function deviceName(name: string): string {
  const [what, system] = name.split(' on ');
  const browser = what === 'A program' ? t('device.program') : (what ?? '');
  return system ? t('device.on', { browser, system }) : browser;
}
