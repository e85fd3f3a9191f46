import { defineConfig } from "vitest/config";

// One Baton and one browser for all of it, so the tests run one after the other.
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], fileParallelism: false, testTimeout: 120_000, hookTimeout: 180_000, bail: 0 },
});
