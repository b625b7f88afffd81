import '@fontsource-variable/atkinson-hyperlegible-next/index.css';
import '@fontsource-variable/atkinson-hyperlegible-mono/index.css';
import '@fontsource-variable/bitter/index.css';
import './design/tokens.css';
import './design/base.css';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { Broken } from './design/broken.tsx';

createRoot(document.getElementById('root')!).render(
  <Broken>
    <App />
  </Broken>,
);
