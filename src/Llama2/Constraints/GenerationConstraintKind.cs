namespace Llama2;

/// <summary>The kinds of constraints.</summary>
internal enum GenerationConstraintKind
{
    Choice,
    Regex,
    Json,
    JsonSchema,
    Tools,
}
