namespace Llama2.DemoModel;

/// <summary>The prepositions of days and times.</summary>
internal static class TimePhrases
{
    private static readonly string[] _bare = ["tomorrow", "tonight", "today", "this ", "next ", "the day after", "later", "every "];

    /// <summary>"Monday" → "on Monday"; "tomorrow" stays.</summary>
    public static string On(string day) => Array.Exists(_bare, start => day.StartsWith(start, StringComparison.Ordinal)) ? day : $"on {day}";

    /// <summary>"5 pm" → "at 5 pm"; "after work" and the like stay.</summary>
    public static string At(string time) =>
        time.StartsWith("after ", StringComparison.Ordinal) || time.StartsWith("before ", StringComparison.Ordinal) ? time : $"at {time}";

    /// <summary>Whether no value says "morning" while another says "pm", and the like.</summary>
    public static bool Agree(IEnumerable<string> values)
    {
        bool morning = false, later = false, evening = false, am = false, pm = false, noon = false, meal = false;
        foreach (string value in values)
        {
            morning |= value.EndsWith("morning", StringComparison.Ordinal);
            later |= value.EndsWith("afternoon", StringComparison.Ordinal);
            evening |= value.EndsWith("evening", StringComparison.Ordinal) || value == "tonight";
            am |= value.EndsWith(" am", StringComparison.Ordinal);
            pm |= value.EndsWith(" pm", StringComparison.Ordinal);
            noon |= value is "noon" or "lunchtime" or "midnight";
            meal |= value.StartsWith("after ", StringComparison.Ordinal) || value.StartsWith("before ", StringComparison.Ordinal);
        }

        return !(morning && (pm || noon)) && !((later || evening) && am) && !(evening && noon) && !(meal && (morning || later || evening));
    }
}
