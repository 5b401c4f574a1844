import { describe, expect, it } from 'vitest';
import { apiUrlOf, isSafeUrl } from './address.ts';

describe('apiUrlOf', () => {
  it.each([
    ['docker.io', 'https://registry-1.docker.io/'],
    ['ghcr.io', 'https://ghcr.io/'],
    ['example.com:5000', 'https://example.com:5000/'],
    ['10.0.0.1:5000', 'https://10.0.0.1:5000/'],
    ['localhost.example:5000', 'https://localhost.example:5000/'],
    ['127.0.0.1.example', 'https://127.0.0.1.example/'],
    ['localhost', 'http://localhost/'],
    ['localhost:5000', 'http://localhost:5000/'],
    ['127.0.0.1:5000', 'http://127.0.0.1:5000/'],
    ['127.9.8.7', 'http://127.9.8.7/'],
    ['[::1]:5000', 'http://[::1]:5000/'],
    ['localhost:443', 'https://localhost/'],
  ])('%s is at %s', (host, url) => {
    expect(apiUrlOf(host).href).toBe(url);
  });
});

describe('isSafeUrl', () => {
  it.each([
    ['https://example.com/', true],
    ['http://localhost:1/', true],
    ['http://example.com/', false],
    ['http://169.254.169.254/', false],
    ['http://0.0.0.0/', false],
    ['file:///etc/passwd', false],
    ['data:text/plain,x', false],
  ])('%s: %s', (url, expected) => {
    expect(isSafeUrl(new URL(url))).toBe(expected);
  });
});
