import { useState } from 'react';
import { Course } from '../../design/course.tsx';
import { Tag } from '../../design/mark.tsx';
import type { McpClient } from './mcp-client.ts';
import { ToolCall } from './tool-call.tsx';
import type { Tool } from './tools.ts';

/** One tool: what it says of itself, and a form that calls it. */
export function ToolCourse({ tool, client }: { tool: Tool; client: McpClient }) {
  const [opened, setOpened] = useState(false);
  return (
    <Course
      title={tool.title ?? tool.name}
      marks={
        <>
          {tool.title !== null && tool.title !== tool.name && <code className="small">{tool.name}</code>}
          {tool.hints.map(hint => (
            <Tag key={hint}>{hint}</Tag>
          ))}
        </>
      }
    >
      {tool.description !== null && <p className="small tool-description">{tool.description}</p>}
      <details className="use" onToggle={event => event.currentTarget.open && setOpened(true)}>
        <summary>Call {tool.title ?? tool.name}</summary>
        {opened && <ToolCall tool={tool} client={client} />}
      </details>
    </Course>
  );
}
