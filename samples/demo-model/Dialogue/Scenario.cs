namespace Llama2.DemoModel;

/// <summary>One line of a scenario: "A" to "D" and what that person says.</summary>
internal sealed record ScenarioTurn(string Speaker, GrammarNode[] Nodes);

/// <summary>One course that a conversation can take, with its summary.</summary>
/// <param name="Family">What it is about, such as "lunch".</param>
/// <param name="Plain">Whether no small talk is put before it.</param>
/// <param name="Turns">Who says what, in order.</param>
/// <param name="Summary">The summary, which may use the slots of the turns.</param>
internal sealed record Scenario(string Family, bool Plain, IReadOnlyList<ScenarioTurn> Turns, GrammarNode[] Summary);
