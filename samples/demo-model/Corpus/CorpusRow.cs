namespace Llama2.DemoCorpus;

/// <summary>One message of a row.</summary>
internal sealed record RowMessage(string Role, string Content);

/// <summary>One conversation to learn.</summary>
/// <param name="Messages">An optional system message, the request and the answer.</param>
/// <param name="Task">"emotion" or "summary".</param>
/// <param name="Label">The emotion, or the family of the scenario.</param>
internal sealed record CorpusRow(IReadOnlyList<RowMessage> Messages, string Task, string Label);
