import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findBuildxPlugin } from './buildx-plugin.ts';

let folder = '';
let plugin = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plugin-'));
  mkdirSync(join(folder, 'cli-plugins'));
  plugin = join(folder, 'cli-plugins/docker-buildx');
  writeFileSync(plugin, '\u007fELF', { mode: 0o755 });
  writeFileSync(join(folder, 'docker'), '\u007fELF', { mode: 0o755 });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const find = () => findBuildxPlugin(join(folder, 'docker'), { DOCKER_CONFIG: folder });

describe('findBuildxPlugin', () => {
  it("finds the user's own buildx first, as the docker CLI does", () => {
    expect(find()).toBe(plugin);
  });

  it('takes no file that can not be run', () => {
    chmodSync(plugin, 0o644);
    expect(find()).not.toBe(plugin);
  });

  it('leaves it to a script in the place of docker', () => {
    writeFileSync(join(folder, 'docker'), '#!/bin/sh\nexec sudo docker "$@"\n');
    expect(find()).toBeUndefined();
  });

  it('leaves it to the CLI where its config names further folders', () => {
    writeFileSync(join(folder, 'config.json'), '{"cliPluginsExtraDirs":["/opt/plugins"]}');
    expect(find()).toBeUndefined();
  });

  it('takes a config that is no JSON as one that says nothing', () => {
    writeFileSync(join(folder, 'config.json'), '{');
    expect(find()).toBe(plugin);
  });
});
