import { describe, expect, it, vi } from 'vitest';

vi.stubGlobal('location', new URL('http://localhost:9000/'));
const { parse, href } = await import('./route.svelte');

const at = (path: string) => parse(new URL(path, 'http://localhost:9000'));

describe('addresses', () => {
  it.each([
    '/',
    '/rooms/room_1',
    '/rooms/room_1/42',
    '/rooms/room_1/2026-05-01',
    '/rooms/room_1/dashboard',
    '/rooms/room_1?panel=members',
    '/rooms/room_1/7?panel=search&q=a+b&all=',
    '/search?q=tea%20time',
    '/settings/status',
    '/share',
    '/admin/users',
    '/admin/users/usr_1',
    '/admin/audit?type=auth.*&outcome=failure',
    '/sign-in?next=%2Frooms%2Froom_1',
    '/firmware/prd_1/rol_1',
    '/firmware/prd_1/rol_1#crashes',
    '/join#abc',
    '/setup#token=abc',
  ])('%s is read and written the same', (path) => {
    expect(href(at(path))).toBe(path);
  });

  it('reads once what one is to write', () => {
    const there = at('/rooms/room_1?thread=7#write=Yes%20%26%20no%2B');
    expect(there).toMatchObject({ room: 'room_1', thread: 7, write: 'Yes & no+' });
    expect(href(there)).toBe('/rooms/room_1?thread=7');
    expect(at('/rooms/room_1#write=')).toMatchObject({ write: '' });
  });

  it('knows when there is nothing', () => {
    expect(at('/what').page).toBe('nothing');
    expect(at('/rooms/a/b/c').page).toBe('nothing');
  });

  it('does not go on to another site after signing in', () => {
    expect(at('/sign-in?next=//evil.example')).toEqual({ page: 'sign-in' });
    expect(at('/sign-in?next=https://evil.example')).toEqual({ page: 'sign-in' });
    expect(at('/sign-in?next=/%5Cevil.example')).toEqual({ page: 'sign-in' });
  });
});
