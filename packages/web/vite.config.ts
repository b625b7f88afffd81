import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** No asset is inlined: the console's Content-Security-Policy loads fonts and scripts from this origin only. */
export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  logLevel: 'warn',
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox121', 'safari17.5'],
    // The terminal, which only those load who open one.
    chunkSizeWarningLimit: 600,
    modulePreload: { polyfill: false },
  },
});
