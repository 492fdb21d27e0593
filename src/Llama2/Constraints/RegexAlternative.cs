namespace Llama2;

/// <summary>One of the alternatives at the top of a regular expression, with what was said about its ends.</summary>
internal readonly record struct RegexAlternative(bool IsAnchoredAtStart, RegexNode Node, bool IsAnchoredAtEnd);
