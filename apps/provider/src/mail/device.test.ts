import { expect, test } from 'vitest'
import { deviceOf } from './device.ts'

test.each([
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36',
    'Chrome on Windows',
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0', 'Firefox on Linux'],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1',
    'Safari on iOS',
  ],
  ['', 'an unknown device'],
  ['<script>/1', 'an unknown device'],
  ['"Chrome\r\nBcc: x"', 'Chrome'],
  ['Call 0800 1234/1 now', 'an unknown device'],
])('%s is %s', (userAgent, device) => expect(deviceOf(userAgent)).toBe(device))

test('a browser that calls itself something long or strange is not quoted', () => {
  for (const name of ['<img src=x>', 'a'.repeat(10_000), 'http://evil.example/'])
    expect(deviceOf(`${name}/1 (${name}) ${name}/2`)).not.toContain(name)
})
